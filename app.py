"""Sessions: routes, middleware and error pages.

`python app.py serve` serves it, at the settings' address; `uvicorn app:app --reload` does so just
as safely while one works on it. `python app.py --help` tells of the other commands.
"""

from __future__ import annotations

import sys

if __name__ == "__main__" and sys.argv[1:] == ["healthcheck"]:
    from web.healthcheck import healthcheck

    sys.exit(healthcheck())  # before all else is imported: it runs twice a minute

import logging

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route, WebSocketRoute

from core.settings import Settings
from routes import (
    account,
    admin,
    api_tokens,
    archive,
    audio,
    avatars,
    connection,
    corrections,
    deletion,
    exports,
    home,
    hooks,
    hosting,
    invitations,
    keeping,
    language,
    lines,
    login,
    members,
    one_time_link,
    ops,
    planned,
    profile,
    search,
    session,
    setup,
    shared,
    sharing,
    sign_ins,
    space_events,
    spaces,
    spoken,
    standing,
    transcript,
    uploads,
    usage,
    welcome,
    ws,
)
from web import errors, openid
from web.access_log import AccessLog
from web.bearer import BearerTokens
from web.commands import load_settings, run, serve
from web.cookies import LoginCookie
from web.guard import Guard
from web.language import SpeakTheirLanguage
from web.lifespan import lifespan
from web.logs import set_up as set_up_logs
from web.request_id import RequestId
from web.serving import Serving
from web.starting import Starting
from web.static import VersionedStatic

__all__ = ["app", "create_app", "serve"]

ROUTES = [
    Route("/", home.home),
    Route("/sessions", home.session_list, methods=["GET"]),
    Route("/sessions", home.create_session, methods=["POST"]),
    Route("/sessions/new", planned.new),
    Route("/sessions/delete", deletion.sessions_page, methods=["GET"]),
    Route("/sessions/delete", deletion.delete_sessions, methods=["POST"]),
    Route("/search", search.see),
    Route("/search/speakers", search.speakers),
    Route("/r/{slug}", standing.enter),
    Route("/r/{slug}/settings", standing.settings_page, methods=["GET"]),
    Route("/r/{slug}/settings", standing.settings, methods=["POST"]),
    Route("/r/{slug}/delete", standing.delete, methods=["POST"]),
    Route("/spaces/{space}/rooms/new", standing.new),
    Route("/spaces/{space}/rooms", standing.create, methods=["POST"]),
    Route("/s/{slug}", session.session_page),
    Route("/s/{slug}/transcript", transcript.so_far),
    Route("/s/{slug}/transcript/lines", lines.lines_of),
    Route("/s/{slug}/transcript/find", lines.find),
    Route("/s/{slug}/left", session.left),
    Route("/s/{slug}/forget", session.forget, methods=["POST"]),
    Route("/s/{slug}/transcript.txt", exports.as_text),
    Route("/s/{slug}/transcript.md", exports.as_markdown),
    Route("/s/{slug}/transcript.srt", exports.as_srt),
    Route("/s/{slug}/transcript.vtt", exports.as_vtt),
    Route("/s/{slug}/transcript.json", exports.as_json),
    Route("/s/{slug}/transcript.docx", exports.as_docx),
    Route("/s/{slug}/audio/{recording}", audio.recording),
    Route("/s/{slug}/share", sharing.see, methods=["GET"]),
    Route("/s/{slug}/share", sharing.create, methods=["POST"]),
    Route("/s/{slug}/share/{link}/revoke", sharing.revoke, methods=["POST"]),
    Route("/shared/{token}", shared.see),
    Route("/shared/{token}/lines", shared.lines_of),
    Route("/shared/{token}/find", shared.find),
    Route("/s/{slug}/guest", session.become_guest, methods=["POST"]),
    Route("/s/{slug}/join", session.join, methods=["POST"]),
    Route("/s/{slug}/connection", connection.of_session, methods=["GET"]),
    Route("/s/{slug}/connection", connection.begin_in_session, methods=["POST"]),
    Route("/s/{slug}/end", session.end, methods=["POST"]),
    Route("/s/{slug}/delete", deletion.session_page, methods=["GET"]),
    Route("/s/{slug}/delete", deletion.delete_session, methods=["POST"]),
    Route("/s/{slug}/transcript/lines/{line}", corrections.line_of, methods=["GET"]),
    Route("/s/{slug}/transcript/lines/{line}", corrections.edit, methods=["POST"]),
    Route("/s/{slug}/transcript/lines/{line}/history", corrections.history, methods=["GET"]),
    Route("/s/{slug}/transcript/lines/{line}/hide", corrections.hide, methods=["POST"]),
    Route("/s/{slug}/transcript/lines/{line}/show", corrections.show, methods=["POST"]),
    Route("/s/{slug}/transcript/lines/{line}/join", corrections.join, methods=["POST"]),
    Route("/s/{slug}/transcript/lines/{line}/restore", corrections.restore, methods=["POST"]),
    Route("/s/{slug}/transcript/speakers/{speaker}", corrections.rename, methods=["POST"]),
    Route("/s/{slug}/protect", keeping.protect, methods=["POST"]),
    Route("/s/{slug}/settings", hosting.settings_page, methods=["GET"]),
    Route("/s/{slug}/settings", hosting.settings, methods=["POST"]),
    Route("/s/{slug}/plan", planned.planning_page, methods=["GET"]),
    Route("/s/{slug}/plan", planned.change, methods=["POST"]),
    Route("/s/{slug}/session.ics", planned.calendar),
    Route("/s/{slug}/languages", spoken.session_page, methods=["GET"]),
    Route("/s/{slug}/languages", spoken.of_session, methods=["POST"]),
    Route("/s/{slug}/consent", session.consent, methods=["POST"]),
    Route("/s/{slug}/pause", hosting.pause, methods=["POST"]),
    Route("/s/{slug}/resume", hosting.resume, methods=["POST"]),
    Route("/s/{slug}/admit-all", hosting.admit_all, methods=["POST"]),
    Route("/s/{slug}/mute-all", hosting.mute_all, methods=["POST"]),
    Route("/s/{slug}/people/{identity}/lower-hand", hosting.lower_hand, methods=["POST"]),
    Route("/s/{slug}/people/{identity}/admit", hosting.admit, methods=["POST"]),
    Route("/s/{slug}/people/{identity}/deny", hosting.deny, methods=["POST"]),
    Route("/s/{slug}/people/{identity}/mute", hosting.mute, methods=["POST"]),
    Route("/s/{slug}/people/{identity}/remove", hosting.remove, methods=["POST"]),
    Route("/s/{slug}/people/{identity}/host", hosting.make_host, methods=["POST"]),
    Route("/spaces", spaces.own, methods=["GET"]),
    Route("/spaces", spaces.create, methods=["POST"]),
    Route("/spaces/{space}", spaces.see),
    Route("/spaces/{space}/switch", spaces.switch, methods=["POST"]),
    Route("/spaces/{space}/rename", spaces.rename, methods=["POST"]),
    Route("/spaces/{space}/delete", deletion.space_page, methods=["GET"]),
    Route("/spaces/{space}/delete", deletion.delete_space, methods=["POST"]),
    Route("/spaces/{space}/consent", spaces.ask, methods=["POST"]),
    Route("/spaces/{space}/languages", spoken.space_page, methods=["GET"]),
    Route("/spaces/{space}/languages", spoken.of_space, methods=["POST"]),
    Route("/spaces/{space}/audio", spaces.keep_audio, methods=["POST"]),
    Route("/spaces/{space}/keeping", keeping.see, methods=["GET"]),
    Route("/spaces/{space}/keeping", keeping.choose, methods=["POST"]),
    Route("/spaces/{space}/events", space_events.see),
    Route("/spaces/{space}/invitations", invitations.create, methods=["POST"]),
    Route("/spaces/{space}/invitations/{invitation}/revoke", invitations.revoke, methods=["POST"]),
    Route("/invitations/{token}", invitations.see, methods=["GET"]),
    Route("/invitations/{token}", invitations.accept, methods=["POST"]),
    Route("/spaces/{space}/leave", members.leave, methods=["POST"]),
    Route("/spaces/{space}/members/{user}/role", members.change_role, methods=["POST"]),
    Route("/spaces/{space}/members/{user}/remove", members.remove, methods=["POST"]),
    Route("/spaces/{space}/usage", usage.usage_page),
    Route("/spaces/{space}/archive.zip", archive.save),
    Route("/spaces/{space}/uploads", uploads.see, methods=["GET"]),
    Route("/spaces/{space}/uploads", uploads.create, methods=["POST"]),
    Route("/uploads/{upload}", uploads.page_of, methods=["GET"]),
    Route("/uploads/{upload}", uploads.change, methods=["POST"]),
    Route("/uploads/{upload}/begin", uploads.begin, methods=["POST"]),
    Route("/uploads/{upload}/files", uploads.take_whole, methods=["POST"]),
    Route("/uploads/{upload}/files/{number}", uploads.take_piece, methods=["POST"]),
    Route("/uploads/{upload}/files/{number}/remove", uploads.remove, methods=["POST"]),
    Route("/uploads/{upload}/speakers", uploads.name, methods=["POST"]),
    Route("/uploads/{upload}/start", uploads.start, methods=["POST"]),
    Route("/uploads/{upload}/again", uploads.again, methods=["POST"]),
    Route("/uploads/{upload}/stop", uploads.stop, methods=["POST"]),
    Route("/spaces/{space}/usage.csv", usage.usage_file),
    Route("/spaces/{space}/minutes", usage.choose, methods=["POST"]),
    Route("/profile", profile.profile),
    Route("/profile/name", profile.name, methods=["POST"]),
    Route("/profile/picture", avatars.upload, methods=["POST"]),
    Route("/profile/picture/provider", avatars.take, methods=["POST"]),
    Route("/profile/picture/remove", avatars.remove, methods=["POST"]),
    Route("/welcome", welcome.begin),
    Route("/welcome/name", welcome.name, methods=["POST"]),
    Route("/welcome/space", welcome.see_space, methods=["GET"]),
    Route("/welcome/space", welcome.name_space, methods=["POST"]),
    Route("/welcome/picture", welcome.see_picture),
    Route("/welcome/done", welcome.done, methods=["POST"]),
    Route("/avatars/{avatar}.webp", avatars.picture),
    Route("/profile/look", profile.look, methods=["POST"]),
    Route("/profile/sign-ins", sign_ins.sign_ins),
    Route("/profile/sign-ins/end-others", sign_ins.end_others, methods=["POST"]),
    Route("/profile/sign-ins/end-all", sign_ins.end_all, methods=["POST"]),
    Route("/profile/sign-ins/{login}/end", sign_ins.end, methods=["POST"]),
    Route("/profile/account", account.see),
    Route("/profile/account/export", account.export),
    Route("/profile/account/delete", account.ask, methods=["GET"]),
    Route("/profile/account/delete", account.delete, methods=["POST"]),
    Route("/profile/tokens", api_tokens.own, methods=["GET"]),
    Route("/profile/tokens", api_tokens.create, methods=["POST"]),
    Route("/profile/tokens/{api_token}/revoke", api_tokens.revoke, methods=["POST"]),
    Route("/connection", connection.of_person, methods=["GET"]),
    Route("/connection", connection.begin, methods=["POST"]),
    Route("/admin", admin.overview),
    Route("/admin/people", admin.people),
    Route("/admin/people/{person}/disable", admin.disable, methods=["POST"]),
    Route("/admin/people/{person}/enable", admin.enable, methods=["POST"]),
    Route("/admin/spaces", admin.space_list),
    Route("/admin/spaces/{space}/minutes", admin.grant, methods=["POST"]),
    Route("/sign-in", login.sign_in_page),
    Route("/signed-in", login.signed_in),
    Route("/sign-in/link", one_time_link.show, methods=["GET"]),
    Route("/sign-in/link", one_time_link.use, methods=["POST"]),
    Route("/sign-in/dev", login.dev_sign_in, methods=["POST"]),
    Route("/sign-in/{provider}", login.begin),
    Route("/api/auth/callback/{provider}", login.come_back),
    Route("/sign-out", login.sign_out_page, methods=["POST"]),
    Route("/language", language.choose, methods=["POST"]),
    Route("/health", ops.health),
    Route("/health/proof", setup.prove),
    Route("/setup", setup.setup_page),
    Route("/health/ready", ops.ready),
    Route("/up", ops.health),
    Route("/metrics", ops.metrics),
    Route("/hooks/livekit", hooks.livekit, methods=["POST"]),
    WebSocketRoute("/ws", ws.transcription),
    Mount("/static", VersionedStatic()),
]


def create_app(settings: Settings) -> Starlette:
    """Return the application for these settings."""
    set_up_logs(settings.log_format)
    for warning in settings.warnings:
        logging.getLogger("web").warning(warning)
    app = Starlette(
        routes=ROUTES,
        middleware=[
            Middleware(RequestId),
            Middleware(AccessLog, routes=ROUTES),
            Middleware(Starting),
            Middleware(Serving, settings=settings),
            Middleware(SpeakTheirLanguage),
            Middleware(BearerTokens, routes=ROUTES),
            Middleware(Guard, settings=settings),
            Middleware(LoginCookie, settings=settings),
        ],
        exception_handlers=errors.HANDLERS,
        lifespan=lifespan(settings),
    )
    app.state.providers = openid.clients(settings.providers)
    return app


if __name__ == "__main__":
    run()
else:
    app = create_app(load_settings())
