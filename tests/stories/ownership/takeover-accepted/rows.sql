INSERT INTO mail_server (partner, direction, protocol, nickname, host, username)
VALUES ('acme', 'outgoing', 'smtp', 'Antigo', 'mail.acme.example', 'antigo@acme.example');
INSERT INTO link (mail_server_id, cnpj)
SELECT id, '12345678000195' FROM mail_server WHERE username = 'antigo@acme.example';
