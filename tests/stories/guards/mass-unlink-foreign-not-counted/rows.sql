INSERT INTO link (mail_server_id, cnpj)
SELECT id, '12345678000195' FROM mail_server WHERE stable_id = 'cte-out';
INSERT INTO link (mail_server_id, cnpj)
SELECT id, '12345678000276' FROM mail_server WHERE stable_id = 'cte-out';
INSERT INTO link (mail_server_id, cnpj)
SELECT id, '12345678000357' FROM mail_server WHERE stable_id = 'cte-out';
INSERT INTO link (mail_server_id, cnpj)
SELECT id, '12345678000438' FROM mail_server WHERE stable_id = 'cte-out';
