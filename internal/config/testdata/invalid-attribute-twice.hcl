callhome {
  port = 4334
  prot = 4334
  port = 4335
}

gateway {
  port = 830
}
