INSERT INTO mail_server (partner, stable_id, direction, protocol, nickname, host, username, active)
VALUES ('acme', 'antigo', 'outgoing', 'smtp', 'Antigo', 'mail.acme.example', 'outro@acme.example', false);
