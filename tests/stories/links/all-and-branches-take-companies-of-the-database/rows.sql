INSERT INTO partner (id) VALUES ('aurora');
INSERT INTO partner (id) VALUES ('serra');
INSERT INTO company (cnpj, partner, nickname) VALUES ('12345678000276', 'aurora', 'Registrada pelo aplicativo');
INSERT INTO company (cnpj, partner, nickname) VALUES ('98765432000198', 'aurora', 'Também registrada');
INSERT INTO company (cnpj, partner, nickname) VALUES ('12345678000357', 'serra', 'De outro parceiro');
