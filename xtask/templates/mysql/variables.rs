            ("MYSQL_URL", "mysql://none:none@127.0.0.1:1/none"),
