INSERT INTO partner (id) VALUES ('aurora');
INSERT INTO company (cnpj, partner, nickname) VALUES ('98765432000198', 'aurora', 'Registrada sem permissão');
