UPDATE mail_server SET active = false, nickname = 'Suspenso' WHERE stable_id = 'nfe-out';
DELETE FROM link WHERE cnpj = '12345678000276';
UPDATE company SET notification_email = 'outro@acme.example' WHERE cnpj = '12345678000195';
DELETE FROM mail_server WHERE stable_id = 'nfe-in';
