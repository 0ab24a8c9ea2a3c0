callhome {
  allow          = []
  deny           = ["192.0.2.1/24", "fleet.example.net"]
  proxies        = ["0.0.0.0/0"]
  source_bits_v4 = 7
  source_bits_v6 = 129
  exempt_sources = ["::ffff:10.0.0.0/104", "fe80::1%eth0"]

  listener "olts" {
    port    = 4434
    allow   = ["10.0.0.0/33"]
    proxies = "10.0.0.1"
  }
}

gateway {
  port           = 830
  allow          = [null]
  deny           = ["::1/0"]
  proxies        = ["::/0"]
  source_bits_v4 = 33
  source_bits_v6 = 31
  exempt_sources = [""]
}
