INSERT INTO company (cnpj, partner, nickname) VALUES ('98765432000198', 'acme', 'Do aplicativo');
