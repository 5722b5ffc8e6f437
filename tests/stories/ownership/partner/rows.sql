INSERT INTO partner (id) VALUES ('acme');
