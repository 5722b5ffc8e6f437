INSERT INTO partner (id) VALUES ('aurora');
INSERT INTO host_profile (partner, host, protocol, ca_file, timeout, ehlo_name)
  VALUES ('aurora', 'smtp.gmail.com', 'smtp', 'outra-ca.pem', 50, 'erp.aurora.example');
