#pragma once
#ifdef __cplusplus
extern "C" {
#endif
int part1(int fd);
int part2(const char *name);
#ifdef __cplusplus
}
#endif
