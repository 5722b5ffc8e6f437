INSERT INTO company (cnpj, partner, nickname, project, file) VALUES ('98765432000198', 'acme', 'De outro projeto', 'other', 'other.yaml');
INSERT INTO host_profile (partner, host, protocol, port, project, file) VALUES ('acme', 'mail.other.example', 'smtp', 465, 'other', 'other.yaml');
INSERT INTO mail_server (partner, stable_id, direction, protocol, nickname, host, username, project, file)
VALUES ('acme', 'other-out', 'outgoing', 'smtp', 'De outro projeto', 'mail.other.example', 'other@acme.example', 'other', 'other.yaml');
INSERT INTO link (mail_server_id, cnpj, project, file)
SELECT id, '98765432000198', 'other', 'other.yaml' FROM mail_server WHERE stable_id = 'other-out';
