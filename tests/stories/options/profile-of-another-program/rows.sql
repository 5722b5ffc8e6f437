INSERT INTO partner (id) VALUES ('aurora');
INSERT INTO partner (id) VALUES ('serra');
INSERT INTO host_profile (partner, host, protocol, port, security, verify_certificate, timeout)
  VALUES ('aurora', 'mail.aurora.example', 'smtp', 2587, 'starttls', false, 50);
INSERT INTO host_profile (partner, host, protocol, port, security, timeout)
  VALUES ('serra', 'mail.serra.example', 'smtp', 2465, 'tls', 60);
