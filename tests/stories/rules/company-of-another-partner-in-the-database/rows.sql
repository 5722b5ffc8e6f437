INSERT INTO partner (id) VALUES ('concorrente');
INSERT INTO company (cnpj, partner, nickname) VALUES ('12345678000195', 'concorrente', 'Nome secreto');
INSERT INTO company (cnpj, partner, nickname) VALUES ('12345678000276', 'concorrente', 'Outro nome secreto');
INSERT INTO company (cnpj, partner, nickname) VALUES ('12345678000357', 'concorrente', 'Mais um nome secreto');
