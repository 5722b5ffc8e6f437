INSERT INTO partner (id) VALUES ('aurora');
INSERT INTO mail_server (id, partner, direction, protocol, nickname, host, username, sender_email)
  VALUES (7, 'aurora', 'outgoing', 'smtp', 'Antigo', 'mail.aurora.example', 'nfe@aurora.example', 'nfe@aurora.example');
INSERT INTO mail_server (id, partner, direction, protocol, nickname, host, username, sender_email)
  VALUES (9, 'aurora', 'outgoing', 'smtp', 'Mais antigo', 'Mail.Aurora.example', 'nfe@aurora.example', 'nfe@aurora.example');
