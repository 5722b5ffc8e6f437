UPDATE mail_server SET nickname = 'Suspenso', timeout = 60 WHERE stable_id = 'nfe-out';
UPDATE link SET active = false WHERE cnpj = '12345678000276';
DELETE FROM mail_server WHERE stable_id = 'nfe-in';
