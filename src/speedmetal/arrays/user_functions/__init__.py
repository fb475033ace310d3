"""Operations that take functions of the user's."""
