        "@name@" => @name@::router().into_service(),
