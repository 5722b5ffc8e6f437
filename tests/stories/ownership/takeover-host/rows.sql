INSERT INTO host_profile (partner, host, protocol, port, security) VALUES ('acme', 'mail.acme.example', 'pop3', 995, 'tls');
