"""Tools of one's own for the background model: a small server of the Model Context Protocol.

`interplay serve` starts it as examples/mcp_tools.toml says and calls what is allowed there; see
examples/README.md. Knows nothing of Interplay: any program that speaks the protocol will do.
"""

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

HOURS = {
    **dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday"), "nine to five"),
    "saturday": "ten to two",
}
STOCK = {"apples": 40, "bread": 6, "milk": 0}

server = MCPServer("shop")


@server.tool()
def opening_hours(day: str) -> str:
    """When the shop is open on a day of the week."""
    hours = HOURS.get(day.strip().lower())
    return f"open from {hours}" if hours else f"closed on {day}"


@server.tool()
def in_stock(article: str) -> str:
    """How many of an article the shop has."""
    number = STOCK.get(article.strip().lower())
    if number is None:
        raise ToolError(f"the shop does not sell {article}; it sells {', '.join(STOCK)}")
    return f"{number} {article}"


@server.tool()
def change_price(article: str, cents: int) -> str:
    """Sets the price of an article. Not on the allow-list: nobody on the phone may do that."""
    return f"{article} costs {cents} cents"


if __name__ == "__main__":
    server.run("stdio")
