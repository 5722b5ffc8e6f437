INSERT INTO host_profile (partner, host, protocol, port, security, timeout) VALUES ('acme', 'mail.acme.example', 'smtp', 465, 'tls', 60);
