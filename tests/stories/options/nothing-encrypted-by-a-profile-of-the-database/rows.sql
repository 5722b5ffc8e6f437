INSERT INTO partner (id) VALUES ('aurora');
INSERT INTO host_profile (partner, host, protocol, port, security) VALUES ('aurora', 'mail.aurora.example', 'smtp', 2525, 'none');
