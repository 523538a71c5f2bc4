        "@name@" => {
            let config = @name@::Config::read(environment)?;
            let authenticator = Authenticator::open(config.auth.clone()).await;
            @name@::router(@name@::@Type@Store::open(config).await, authenticator).into_service()
        }
