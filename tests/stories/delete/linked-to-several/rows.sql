UPDATE company SET nickname = 'Acme ' || char(27) || '[31mCuritiba' || char(10) || 'x' WHERE cnpj = '12345678000276';
