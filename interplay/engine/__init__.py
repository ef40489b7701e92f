"""Live sessions on the 200 ms beat. No sockets, no asyncio, no wall clock."""
