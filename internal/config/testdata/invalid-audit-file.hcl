audit {
  file = "keys"
}

gateway {
  port = 830
}
