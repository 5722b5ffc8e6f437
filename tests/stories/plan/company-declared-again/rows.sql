-- What the tool itself leaves behind when a company is no longer declared.
UPDATE company SET project = NULL WHERE cnpj = '12345678000276';
