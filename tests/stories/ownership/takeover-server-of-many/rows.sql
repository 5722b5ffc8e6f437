INSERT INTO mail_server (partner, direction, protocol, nickname, host, username)
VALUES ('acme', 'outgoing', 'smtp', 'Antigo', 'mail.acme.example', 'antigo@acme.example');
INSERT INTO mail_server (partner, direction, protocol, nickname, host, username)
VALUES ('acme', 'outgoing', 'smtp', 'Antigo', 'mail.acme.example', 'antigo@acme.example');
