/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PROCTOR_SUPERVISOR_IPC_H
#define PROCTOR_SUPERVISOR_IPC_H

/* The System V IPC objects that the tool made (handle_ipc.c). NULL when memory is out. Lives as
 * long as the supervisor. */
struct ipc_objects;
struct ipc_objects *ipc_objects_new(void);

#endif
