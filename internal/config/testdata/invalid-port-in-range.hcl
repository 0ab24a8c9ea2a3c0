callhome {
  port = 20002
}

gateway {
  port  = 20001
  ports = "20000-29999"
}
