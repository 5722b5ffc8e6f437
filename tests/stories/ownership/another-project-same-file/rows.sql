INSERT INTO company (cnpj, partner, nickname, project, file) VALUES ('98765432000198', 'acme', 'De outro projeto', 'other', 'acme.yaml');
INSERT INTO host_profile (partner, host, protocol, port, project, file) VALUES ('acme', 'mail.other.example', 'smtp', 465, 'other', 'acme.yaml');
INSERT INTO mail_server (partner, stable_id, direction, protocol, nickname, host, username, project, file)
VALUES ('acme', 'other-out', 'outgoing', 'smtp', 'De outro projeto', 'mail.other.example', 'other@acme.example', 'other', 'acme.yaml');
INSERT INTO link (mail_server_id, cnpj, project, file)
SELECT id, '98765432000198', 'other', 'acme.yaml' FROM mail_server WHERE stable_id = 'other-out';
