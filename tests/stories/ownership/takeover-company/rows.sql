INSERT INTO company (cnpj, partner, nickname, head_office) VALUES ('98765432000198', 'acme', 'Do aplicativo', true);
