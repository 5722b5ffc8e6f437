INSERT INTO partner (id) VALUES ('aurora');
INSERT INTO company (cnpj, partner, nickname, notification_email, extensions)
  VALUES ('98765432000198', 'aurora', 'Registrada pelo aplicativo', 'sol@aurora.example', 'document_import');
