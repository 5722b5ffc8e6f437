INSERT INTO link (mail_server_id, cnpj)
SELECT id, '12345678000276' FROM mail_server WHERE stable_id = 'cte-out';
