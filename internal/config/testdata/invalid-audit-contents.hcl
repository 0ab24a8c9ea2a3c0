audit {
  file = file("keys/secret")
}

gateway {
  port = 830
}
