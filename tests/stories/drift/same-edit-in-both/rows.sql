UPDATE mail_server SET nickname = 'Envio' WHERE stable_id = 'nfe-out';
UPDATE mail_server SET nickname = 'Leitura' WHERE stable_id = 'nfe-in';
