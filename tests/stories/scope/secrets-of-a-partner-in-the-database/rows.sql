INSERT INTO partner (id) VALUES ('aurora-sul');
