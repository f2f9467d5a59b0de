"""Posts, comments and votes."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import BaseModel, StringConstraints
from sqlalchemy import ColumnElement, Row, Select, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from community.context import Session, SignedIn, Somebody
from community.models import Comment, Post, User, Vote

router = APIRouter(prefix="/api/posts")

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=140)]
Body = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)]
Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]


class NewPost(BaseModel):
    """What somebody writes."""

    title: Title
    body: Body = ""


class NewComment(BaseModel):
    """What somebody answers."""

    body: Said


class NewVote(BaseModel):
    """1 is for it, -1 against it, 0 takes a vote back."""

    value: Literal[-1, 0, 1]


class PostView(BaseModel):
    """A post in the list."""

    id: int
    title: str
    body: str
    author: str
    created_at: datetime
    score: int
    comments: int
    my_vote: int


class CommentView(BaseModel):
    """A comment under a post."""

    id: int
    body: str
    author: str
    created_at: datetime


class PostDetail(PostView):
    """A post with its comments, oldest first."""

    thread: list[CommentView]


class Page(BaseModel):
    """Some posts, and where the next ones begin."""

    items: list[PostView]
    next_before: int | None


@router.get("")
async def list_posts(
    session: Session,
    user: Somebody,
    sort: Literal["new", "top"] = "new",
    before: int | None = None,
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
) -> Page:
    """The newest posts page by page, or the best liked."""
    query = _posts(user)
    if sort == "top":
        query = query.order_by(_score().desc(), Post.id.desc()).limit(limit)
        return Page(items=[_view(row) for row in await session.execute(query)], next_before=None)
    if before is not None:
        query = query.where(Post.id < before)
    rows = (await session.execute(query.order_by(Post.id.desc()).limit(limit + 1))).all()
    following = rows[limit - 1].Post.id if len(rows) > limit else None
    return Page(items=[_view(row) for row in rows[:limit]], next_before=following)


@router.post("", status_code=201)
async def write_post(new: NewPost, session: Session, user: SignedIn) -> PostView:
    """Publish a post."""
    post = Post(author_id=user.id, title=new.title, body=new.body)
    session.add(post)
    await session.flush()
    return await _one(session, user, post.id)


@router.get("/{post_id}")
async def read_post(post_id: int, session: Session, user: Somebody) -> PostDetail:
    """A post and what was said about it."""
    post = await _one(session, user, post_id)
    query = select(Comment, User.name).join(User, User.id == Comment.author_id)
    rows = await session.execute(query.where(Comment.post_id == post_id).order_by(Comment.id))
    thread = [CommentView(id=c.id, body=c.body, author=name, created_at=c.created_at) for c, name in rows]
    return PostDetail(**post.model_dump(), thread=thread)


@router.delete("/{post_id}", status_code=204)
async def delete_post(post_id: int, session: Session, user: SignedIn) -> Response:
    """Take a post away; for its author and for moderators."""
    post = await session.get(Post, post_id)
    if post is None:
        raise HTTPException(404, "There is no such post.")
    if post.author_id != user.id and not user.is_moderator:
        raise HTTPException(403, "Only its author may do that.")
    await session.delete(post)
    return Response(status_code=204)


@router.post("/{post_id}/comments", status_code=201)
async def write_comment(post_id: int, new: NewComment, session: Session, user: SignedIn) -> CommentView:
    """Answer a post."""
    await _one(session, user, post_id)
    comment = Comment(post_id=post_id, author_id=user.id, body=new.body)
    session.add(comment)
    await session.flush()
    return CommentView(id=comment.id, body=comment.body, author=user.name, created_at=comment.created_at)


@router.put("/{post_id}/vote")
async def vote(post_id: int, new: NewVote, session: Session, user: SignedIn) -> PostView:
    """Set one's own vote; doing it twice is doing it once."""
    await _one(session, user, post_id)
    if new.value == 0:
        await session.execute(delete(Vote).where(Vote.post_id == post_id, Vote.user_id == user.id))
    else:
        row = insert(Vote).values(user_id=user.id, post_id=post_id, value=new.value)
        await session.execute(
            row.on_conflict_do_update(index_elements=["user_id", "post_id"], set_={"value": new.value})
        )
    return await _one(session, user, post_id)


def _score() -> ColumnElement[int]:
    total = select(func.coalesce(func.sum(Vote.value), 0)).where(Vote.post_id == Post.id)
    return total.correlate(Post).scalar_subquery()


def _posts(user: User | None) -> Select[Post, str, int, int, int]:
    comments = select(func.count()).select_from(Comment).where(Comment.post_id == Post.id)
    mine = select(Vote.value).where(Vote.post_id == Post.id, Vote.user_id == (user.id if user else 0))
    return select(
        Post,
        User.name.label("author"),
        _score().label("score"),
        comments.correlate(Post).scalar_subquery().label("comments"),
        func.coalesce(mine.correlate(Post).scalar_subquery(), 0).label("my_vote"),
    ).join(User, User.id == Post.author_id)


async def _one(session: AsyncSession, user: User | None, post_id: int) -> PostView:
    row = (await session.execute(_posts(user).where(Post.id == post_id))).one_or_none()
    if row is None:
        raise HTTPException(404, "There is no such post.")
    return _view(row)


def _view(row: Row[Post, str, int, int, int]) -> PostView:
    post, author, score, comments, my_vote = row
    return PostView(
        id=post.id,
        title=post.title,
        body=post.body,
        author=author,
        created_at=post.created_at,
        score=score,
        comments=comments,
        my_vote=my_vote,
    )
