INSERT INTO partner (id) VALUES ('aurora');
INSERT INTO host_profile (partner, host, protocol, port, security, ca_file, timeout)
  VALUES ('aurora', 'mail.aurora.example', 'smtp', 465, 'tls', 'outra-ca.pem', 50);
