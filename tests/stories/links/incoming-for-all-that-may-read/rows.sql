INSERT INTO partner (id) VALUES ('aurora');
INSERT INTO company (cnpj, partner, nickname, extensions) VALUES ('98765432000198', 'aurora', 'Registrada, lê', 'document_import');
INSERT INTO company (cnpj, partner, nickname) VALUES ('98765432000279', 'aurora', 'Registrada, não lê');
