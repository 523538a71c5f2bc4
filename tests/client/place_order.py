"""Places an order by the client that is generated from the document.

`cargo xtask conformance` generates it as the package `kea` and runs this.
"""

import sys

from kea import Client
from kea.api.mysqldata import get_order, place_order
from kea.api.nosqldata import list_products
from kea.models import NewOrder, NewOrderLine, Order, ProductPage

client = Client(base_url=sys.argv[1])

page = list_products.sync(client=client, limit=2)
assert isinstance(page, ProductPage), page
lines = [NewOrderLine(product_id=product.id, quantity=2) for product in page.items]

order = place_order.sync(client=client, body=NewOrder(customer="Ada", lines=lines))
assert isinstance(order, Order), order
assert order.total.amount == sum(2 * product.price.amount for product in page.items), order

again = get_order.sync(client=client, id=order.id)
assert isinstance(again, Order) and again == order, again
print(f"order {order.id}: {order.total.amount} {order.total.currency}")
