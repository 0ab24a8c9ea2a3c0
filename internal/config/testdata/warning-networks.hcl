callhome {
  allow          = ["192.0.2.0/24"]
  deny           = ["192.0.2.0/24"]
  exempt_sources = ["0.0.0.0/0"]

  listener "olts" {
    port  = 4434
    allow = ["10.0.0.0/8"]
  }
}

gateway {
  port = 830
}
