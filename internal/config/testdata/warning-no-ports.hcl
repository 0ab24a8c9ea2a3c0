callhome {
  port = 4334
}
