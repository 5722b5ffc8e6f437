INSERT INTO company (cnpj, partner, nickname) VALUES ('98765432000198', 'aurora', 'Registrada pelo aplicativo');
INSERT INTO link (mail_server_id, cnpj) SELECT id, '98765432000198' FROM mail_server;
