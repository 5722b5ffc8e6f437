UPDATE mail_server SET active = false, timeout = 60, nickname = 'Suspenso' WHERE stable_id = 'nfe-out';
