INSERT INTO company (cnpj, partner, nickname) VALUES ('98765432000198', 'acme', 'Do aplicativo');
INSERT INTO link (mail_server_id, cnpj)
SELECT id, '98765432000198' FROM mail_server WHERE stable_id = 'nfe-out';
