INSERT INTO partner (id) VALUES ('aurora');
INSERT INTO company (cnpj, partner, nickname, own_mailboxes) VALUES ('98765432000198', 'aurora', 'Registrada com permissão', true);
