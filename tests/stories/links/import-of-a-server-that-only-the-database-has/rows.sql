INSERT INTO partner (id) VALUES ('aurora');
INSERT INTO company (cnpj, partner, nickname, head_office) VALUES ('12345678000195', 'aurora', 'Padaria Aurora', true);
INSERT INTO mail_server (id, partner, stable_id, direction, protocol, nickname, host, username, sender_email)
  VALUES (1, 'aurora', 'alertas', 'outgoing', 'smtp', 'Alertas', 'mail.aurora.example', 'alertas@aurora.example', 'alertas@aurora.example');
