        "@name@" => {
            let config = @name@::Config::read(environment)?;
            @name@::router(@name@::@Type@Store::open(config).await).into_service()
        }
