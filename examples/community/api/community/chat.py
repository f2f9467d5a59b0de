"""The chat room.

What is said is written to PostgreSQL and told to every process through one Redis channel, so people who are connected
to different replicas, or to the old and the new release during a deploy, talk in the same room. A socket is opened
with a ticket that works once and for half a minute: a token in an address would end up in access logs.
"""

import asyncio
import contextlib
import json
import logging
import secrets
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, StringConstraints, ValidationError
from redis.exceptions import RedisError
from sqlalchemy import select

from community import metrics
from community.context import Here, Outside, Session, SignedIn, outside_of
from community.models import ChatMessage, User

router = APIRouter()
log = logging.getLogger("community.chat")
CHANNEL = "chat"
TICKET_SECONDS = 30
WAITING = 100  # messages that a slow reader may be behind before it is sent away
# Close codes that the page understands.
NO_TICKET, NO_ORIGIN, TOO_SLOW = 4401, 4403, 4408


class Saying(BaseModel):
    """What comes in."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class MessageView(BaseModel):
    """What goes out."""

    id: int
    author: str
    text: str
    created_at: datetime


class Room:
    """The sockets of this process, fed from the channel."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside
        self.queues: set[asyncio.Queue[str]] = set()
        self.is_listening = asyncio.Event()

    async def listen(self) -> None:
        """Hand on what the channel says, for ever; a lost Redis is dialled again each second."""
        while True:
            try:
                async with self.outside.redis.pubsub() as channel:
                    await channel.subscribe(CHANNEL)
                    async for message in channel.listen():
                        if message["type"] == "subscribe":
                            self.is_listening.set()
                        elif message["type"] == "message":
                            self._hand_on(message["data"])
            except (RedisError, OSError) as exc:
                log.warning("the chat channel is lost: %s", type(exc).__name__)
            self.is_listening.clear()
            await asyncio.sleep(1)

    def _hand_on(self, text: str) -> None:
        for queue in self.queues:
            with contextlib.suppress(asyncio.QueueFull):
                queue.put_nowait(text)


@router.get("/api/chat/messages")
async def read_messages(session: Session, after: Annotated[int, Query(ge=0)] = 0) -> list[MessageView]:
    """The last 50 messages, or what followed one (at most 200); oldest first."""
    query = select(ChatMessage, User.name).join(User, User.id == ChatMessage.author_id)
    if after:
        rows = (await session.execute(query.where(ChatMessage.id > after).order_by(ChatMessage.id).limit(200))).all()
    else:
        rows = (await session.execute(query.order_by(ChatMessage.id.desc()).limit(50))).all()[::-1]
    return [_view(message, name) for message, name in rows]


@router.post("/api/chat/ticket", status_code=201)
async def make_ticket(outside: Here, user: SignedIn) -> dict[str, str]:
    """What opens one socket, once and soon."""
    ticket = secrets.token_urlsafe(24)
    await outside.redis.set(f"ticket:{ticket}", user.id, ex=TICKET_SECONDS)
    return {"ticket": ticket}


@router.websocket("/ws/chat")
async def chat(socket: WebSocket, ticket: str = "") -> None:
    """Say and hear, until one side ends it."""
    outside = outside_of(socket)
    await socket.accept()  # else the browser never learns the code
    origin = socket.headers.get("origin")
    if origin is not None and outside.settings.allowed_origins and origin not in outside.settings.allowed_origins:
        return await socket.close(NO_ORIGIN)
    user = await _holder_or_none(outside, ticket)
    if user is None:
        return await socket.close(NO_TICKET)
    with metrics.SOCKETS.track_inprogress():
        await _serve(socket, outside, user)


async def _serve(socket: WebSocket, outside: Outside, user: User) -> None:
    room: Room = socket.app.state.room
    await room.is_listening.wait()
    queue: asyncio.Queue[str] = asyncio.Queue(WAITING)
    room.queues.add(queue)
    hearing = asyncio.create_task(_hear(socket, queue))
    try:
        await _say(socket, outside, user)
    except WebSocketDisconnect:
        pass
    finally:
        room.queues.discard(queue)
        hearing.cancel()
        with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
            await hearing


async def _hear(socket: WebSocket, queue: asyncio.Queue[str]) -> None:
    while True:
        text = await queue.get()
        if queue.full():
            return await socket.close(TOO_SLOW)
        await socket.send_text(text)


async def _say(socket: WebSocket, outside: Outside, user: User) -> None:
    while True:
        try:
            saying = Saying.model_validate_json(await socket.receive_text())
        except ValidationError:
            await socket.send_text(json.dumps({"error": "A message has 1 to 500 characters."}))
            continue
        async with outside.sessions.begin() as session:
            message = ChatMessage(author_id=user.id, text=saying.text)
            session.add(message)
            await session.flush()
        # NOTE: told after it is kept, so that nobody hears what the next page load does not show.
        await outside.redis.publish(CHANNEL, _view(message, user.name).model_dump_json())


async def _holder_or_none(outside: Outside, ticket: str) -> User | None:
    user_id = await outside.redis.getdel(f"ticket:{ticket}") if ticket else None
    if user_id is None:
        return None
    async with outside.sessions() as session:
        return await session.get(User, int(user_id))


def _view(message: ChatMessage, author: str) -> MessageView:
    return MessageView(id=message.id, author=author, text=message.text, created_at=message.created_at)
