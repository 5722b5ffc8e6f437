INSERT INTO partner (id) VALUES ('aurora');
INSERT INTO company (cnpj, partner, nickname, head_office) VALUES ('12345678000195', 'aurora', 'Padaria Aurora', true);
