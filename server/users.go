package server

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

type userBody struct {
	Username string  `json:"username" minLength:"1" maxLength:"255" doc:"Unique; capitals count." example:"bob"`
	Password string  `json:"password" minLength:"8" maxLength:"1024" format:"password" writeOnly:"true" doc:"At least 8 characters, and at most 1,024 bytes of UTF-8." example:"correct horse battery staple"`
	Role     string  `json:"role,omitempty" enum:"guest,user,admin" default:"user"`
	Email    *string `json:"email,omitempty" maxLength:"255" nullable:"true" doc:"Unique, if given." example:"bob@example.org"`
}

type userPatch struct {
	Role     *string `json:"role,omitempty" enum:"guest,user,admin" nullable:"true" doc:"Stays if absent."`
	IsActive *bool   `json:"is_active,omitempty" nullable:"true" doc:"Stays if absent. False ends the user's sessions and voids his keys."`
}

type newPassword struct {
	Password string `json:"password" minLength:"8" maxLength:"1024" format:"password" writeOnly:"true" doc:"At least 8 characters, and at most 1,024 bytes of UTF-8." example:"correct horse battery staple"`
}

// role is a role with what it may do.
type role struct {
	Role   string   `json:"role" example:"guest"`
	Scopes []string `json:"scopes" nullable:"false" example:"[\"ViewNeuron\"]"`
}

func (s *Server) registerUsers() {
	const path, one = "/api/v1/users", "/api/v1/users/{id}"
	manage := closed(auth.ScopeManageUsers)
	const higher = " What has more scopes than you have yourself is not yours to touch or to give."
	register(s, operation{
		id: "UserCreate", method: http.MethodPost, path: path, tag: tagAdmin, access: manage,
		summary: "Make a user", description: "Of any role." + higher, status: http.StatusCreated, created: true,
		problems: []int{http.StatusConflict},
		example:  map[string]any{"username": "bob", "password": "correct horse battery staple", "role": "guest"},
	}, s.userCreate)
	register(s, operation{
		id: "UserList", method: http.MethodGet, path: path, tag: tagAdmin, access: manage, replica: true,
		summary: "List the users", description: "In order of their names.",
	}, s.userList)
	register(s, operation{
		id: "UserGet", method: http.MethodGet, path: one, tag: tagAdmin, access: manage,
		summary: "Get a user", problems: []int{http.StatusNotFound},
	}, s.userGet)
	register(s, operation{
		id: "UserPatch", method: http.MethodPatch, path: one, tag: tagAdmin, access: manage,
		summary: "Set a user's role, or whether he may log in", description: "The last active admin stays one." + higher,
		problems: []int{http.StatusNotFound, http.StatusConflict}, example: map[string]any{"is_active": false},
	}, s.userPatch)
	register(s, operation{
		id: "UserDelete", method: http.MethodDelete, path: one, tag: tagAdmin, access: manage,
		summary: "Delete a user with all sessions and API keys", description: "The last active admin stays." + higher,
		problems: []int{http.StatusNotFound, http.StatusConflict},
	}, s.userDelete)
	register(s, operation{
		id: "UserPasswordPut", method: http.MethodPut, path: one + "/password", tag: tagAdmin, access: manage,
		summary: "Give a user a new password", description: "Ends his sessions; his keys stay." + higher,
		problems: []int{http.StatusNotFound}, example: map[string]any{"password": "correct horse battery staple"},
	}, s.userPasswordPut)
	register(s, operation{
		id: "RoleList", method: http.MethodGet, path: "/api/v1/roles", tag: tagAdmin, access: manage,
		summary: "List the roles with their scopes",
	}, s.roleList)
	s.registerUserSessions(one)
}

func (s *Server) userCreate(ctx context.Context, in *struct{ Body userBody }) (*answer[account], error) {
	by := principalOf(ctx)
	if err := checkRank(&by, in.Body.Role); err != nil {
		return nil, err
	}
	u, err := s.auth.UserCreate(ctx, by, auth.UserCreateParams{
		Username: in.Body.Username, Password: in.Body.Password, Role: in.Body.Role, Email: in.Body.Email, Client: clientOf(ctx),
	})
	if err != nil {
		return nil, err
	}
	return created(accountOf(u), "/api/v1/users/"+u.ID.String()), nil
}

func (s *Server) userList(ctx context.Context, in *PageQuery) (*pageAnswer[account], error) {
	after := ""
	if in.Cursor != "" {
		var err error
		if after, err = decodeTextCursor(cursorUsers, in.Cursor); err != nil {
			return nil, err
		}
	}
	rows, err := s.auth.UserList(ctx, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return page(rows, in.Limit, accountOf, func(u model.User) string { return encodeTextCursor(cursorUsers, u.Username) }), nil
}

func (s *Server) userGet(ctx context.Context, in *UUIDPath) (*answer[account], error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	u, err := s.auth.UserGet(ctx, id)
	if err != nil {
		return nil, err
	}
	return ok(accountOf(u)), nil
}

func (s *Server) userPatch(ctx context.Context, in *struct {
	UUIDPath
	Body userPatch
},
) (*answer[account], error) {
	by, id, err := s.ranked(ctx, &in.UUIDPath)
	if err != nil {
		return nil, err
	}
	if in.Body.Role != nil {
		if err := checkRank(&by, *in.Body.Role); err != nil {
			return nil, err
		}
	}
	u, err := s.auth.UserUpdate(ctx, by, id, auth.UserUpdateParams{Role: in.Body.Role, IsActive: in.Body.IsActive, Client: clientOf(ctx)})
	if err != nil {
		return nil, err
	}
	return ok(accountOf(u)), nil
}

func (s *Server) userDelete(ctx context.Context, in *UUIDPath) (*answer[deleted], error) {
	by, id, err := s.ranked(ctx, in)
	if err != nil {
		return nil, err
	}
	if err := s.auth.UserDelete(ctx, by, id, clientOf(ctx)); err != nil {
		return nil, err
	}
	return ok(deleted{ID: id.String()}), nil
}

func (s *Server) userPasswordPut(ctx context.Context, in *struct {
	UUIDPath
	Body newPassword
},
) (*answer[passwordChanged], error) {
	by, id, err := s.ranked(ctx, &in.UUIDPath)
	if err != nil {
		return nil, err
	}
	if err := s.auth.UserSetPassword(ctx, by, id, in.Body.Password, clientOf(ctx)); err != nil {
		return nil, err
	}
	return ok(passwordChanged{"the password is changed and the user's sessions are ended"}), nil
}

func (s *Server) roleList(context.Context, *struct{}) (*answer[[]role], error) {
	var list []role
	for _, name := range []string{auth.RoleGuest, auth.RoleUser, auth.RoleAdmin} {
		list = append(list, role{name, auth.RoleScopes(name).List()})
	}
	return ok(list), nil
}

// ranked is who asks and whom it is about, if he may touch him. A key that may manage
// users and nothing else must not become an admin by way of one's password.
func (s *Server) ranked(ctx context.Context, in *UUIDPath) (by auth.Principal, id uuid.UUID, err error) {
	if id, err = in.id(); err != nil {
		return by, id, err
	}
	u, err := s.auth.UserGet(ctx, id)
	if err != nil {
		return by, id, err
	}
	by = principalOf(ctx)
	return by, id, checkRank(&by, u.Role)
}

// checkRank refuses to touch or to give a role with more scopes than one has oneself.
func checkRank(by *auth.Principal, role string) error {
	if auth.RoleScopes(role)&^by.Scopes != 0 {
		return newProblem(http.StatusForbidden, "the role "+role+" has scopes that this credential lacks")
	}
	return nil
}
