callhome {
  address = "localhost"
}

gateway {
  address = "0.0.0.0/0"
  port    = 830
}
